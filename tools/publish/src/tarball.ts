import type { WorkspacePackage } from './workspace.ts';

/** A package packed by npm. */
export interface Tarball {
  readonly package: WorkspacePackage;
  /** Absolute path of the `.tgz`. */
  readonly file: string;
  /** Size of the `.tgz` in bytes. */
  readonly size: number;
  /** Size on disk after installation, in bytes. */
  readonly unpackedSize: number;
  /** Paths relative to the package, separated by `/`. */
  readonly paths: readonly string[];
}
