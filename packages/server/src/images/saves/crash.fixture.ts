/** A server that saves a session and is killed as soon as it reports a step: `crash.fixture.ts FOLDER SESSION STEP`. */
import { openPlatform } from '../../../test/platform.ts';

const [folder = '', session = '', deadly = ''] = process.argv.slice(2);
const die = () => process.kill(process.pid, 'SIGKILL');
const platform = await openPlatform(folder, {
  async prepareBoot() {
    if (deadly === 'in prepareBoot') die();
    return { kernel: null, bootPlan: null, models: [], lends: [] };
  },
});
const saving = platform.images.shells.save('ann', session, { owner: 'ann', name: 'tiny' });
for await (const { step } of saving) {
  if (step === deadly) die();
}
if (deadly === 'at the end') die();
