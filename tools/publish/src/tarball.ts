import type { WorkspacePackage } from './workspace.ts';

/** A package as npm packed it. */
export interface Tarball {
  readonly package: WorkspacePackage;
  /** The `.tgz`, absolute. */
  readonly file: string;
  /** Bytes of the `.tgz`. */
  readonly size: number;
  /** Bytes on disk after installing. */
  readonly unpackedSize: number;
  /** Relative to the package, with `/`. */
  readonly paths: readonly string[];
}
