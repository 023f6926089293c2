const Mocha = require('mocha')

/** Mocha's spec output, and as the very last line what CI reads: `N passed, N failed`. */
module.exports = class Reporter extends Mocha.reporters.Spec {
  done(failures, finish) {
    const { passes, pending } = this.stats
    const skipped = pending > 0 ? `, ${pending} skipped` : ''
    process.stdout.write(`${passes} passed, ${failures} failed${skipped}\n`, () => finish(failures))
  }
}
