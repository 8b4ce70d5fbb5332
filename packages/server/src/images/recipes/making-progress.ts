import type { Report } from '../progress.ts';

interface Phase {
  /** How the line starts that mmdebstrap prints when the phase begins. */
  begins: string;
  step: string;
  /** Share of the whole time when it begins and when it ends, in percent. */
  from: number;
  to: number;
}

/** Shares as measured with a near mirror; a far one makes the second and the fifth longer. */
const phases: Phase[] = [
  { begins: 'running apt-get update', step: 'Reading the list of Debian packages', from: 0, to: 4 },
  { begins: 'downloading packages', step: 'Fetching the base system', from: 4, to: 10 },
  { begins: 'extracting archives', step: 'Unpacking the base system', from: 10, to: 20 },
  { begins: 'installing essential packages', step: 'Installing the base system', from: 20, to: 42 },
  { begins: 'installing remaining packages', step: 'Installing the other packages', from: 42, to: 90 },
  { begins: 'cleaning package lists', step: 'Packing the image', from: 90, to: 92 },
  { begins: 'creating tarball', step: 'Packing the image', from: 92, to: 97 },
  { begins: 'removing tempdir', step: 'Cleaning up', from: 97, to: 100 },
];

/** Turns the lines that `mmdebstrap --verbose` prints into percents. */
export class MakingProgress {
  readonly #report: Report;
  #phase: Phase | undefined;
  /** Packages of the phase; each counts twice: unpacked, set up. */
  #packages = 0;
  #done = 0;
  #told = -1;

  constructor(report: Report) {
    this.#report = report;
  }

  line(line: string): void {
    const begun = /^I: (.*)/.exec(line)?.[1];
    const phase = begun === undefined ? undefined : phases.find(({ begins }) => begun.startsWith(begins));
    const counted = / (\d+) newly installed/.exec(line)?.[1];
    if (phase) {
      this.#phase = phase;
      this.#done = 0;
      this.#told = -1;
    } else if (counted !== undefined) {
      this.#packages = Number(counted);
    } else if (/^(?:Unpacking|Setting up) /.test(line)) {
      this.#done += 1;
    } else return;
    this.#tell();
  }

  #tell(): void {
    if (!this.#phase) return;
    const { step, from, to } = this.#phase;
    const share = this.#packages === 0 ? 0 : Math.min(1, this.#done / (2 * this.#packages));
    const percent = Math.floor(from + (to - from) * share);
    if (percent === this.#told) return;
    this.#told = percent;
    this.#report(step, { done: percent, total: 100, unit: 'percent' });
  }
}
