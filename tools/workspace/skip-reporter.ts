/**
 * A vitest reporter that prints every skipped test with its reason, so that a skip is never silent.
 * The reason is the note given to `ctx.skip('...')`; a test skipped without a note is printed as such.
 * It does not decide whether a skip is allowed.
 */
import type { Reporter, TestModule } from 'vitest/node';

export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines: string[] = [];
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result();
        const note = (result.state === 'skipped' && result.note) || 'no reason given';
        lines.push(`  ${module.relativeModuleId} > ${test.fullName}: ${note}`);
      }
    }
    if (lines.length > 0) console.log(`\nSkipped tests and why:\n${lines.join('\n')}`);
  }
}
