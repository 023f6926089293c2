const Mocha = require('mocha')

/** Mocha's spec output, and as the very last line what CI reads: `N passed, N failed`. */
module.exports = class Reporter extends Mocha.reporters.Spec {
  done(failures, finish) {
    const { passes, pending } = this.stats
    const skipped = pending > 0 ? `${pending} skipped\n` : ''
    process.stdout.write(`${skipped}${passes} passed, ${failures} failed\n`, () => finish(failures))
  }
}
