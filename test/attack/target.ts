/** The command line of every attacker: ATTACKER SERVER SEED COUNT. */
import { Random } from '../random.ts';

const [server = '', seed = '1', count = '10000'] = process.argv.slice(2);

export const target = { server, random: new Random(Number(seed)), count: Number(count) };
