import { exitCodeOf, failureReport, originalError } from '../../failure.ts';
import { createDownloadReport } from '../../hub/download-report.ts';
import type { BenchJob } from './bench-job.ts';
import { measureModel } from './measure-model.ts';

// A separate program, so that precisions do not affect each other. It takes a job as JSON and prints the result as
// JSON.
const [job = '', report = ''] = process.argv.slice(2);
const { quiet, verbose } = JSON.parse(report) as { readonly quiet: boolean; readonly verbose: boolean };
const progress = await createDownloadReport(
  { stderr: process.stderr, variables: process.env },
  { quiet, progress: true },
);
try {
  const result = await measureModel(JSON.parse(job) as BenchJob, progress.onProgress);
  progress.clear();
  process.stdout.write(`${JSON.stringify(result)}\n`);
} catch (caught) {
  progress.clear();
  const error = originalError(caught);
  process.stderr.write(failureReport(error, verbose));
  process.exitCode = exitCodeOf(error);
}
