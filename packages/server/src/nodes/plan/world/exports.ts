import type { Trees } from '../../../boot/index.ts';
import type { Network, PersistExport, TreeExport } from '../../../network/index.ts';
import type { ExportSteps, ExportsSeen, TreeWish } from '../exports.ts';
import type { Part } from '../steps.ts';

interface Deps {
  network: Pick<Network, 'setExports'>;
  trees: Pick<Trees, 'of'>;
}

export function exportsPart({ network, trees }: Deps): Part<ExportsSeen, ExportSteps> {
  let last: { exports: PersistExport[] | null; trees: TreeWish[] | null } = { exports: null, trees: null };
  return {
    observe: async () => last,
    executors: {
      setExports: async ({ exports, trees: wishes }) => {
        const ready: TreeExport[] = [];
        const failures: unknown[] = [];
        for (const { image, ip, paths } of wishes) {
          try {
            const tree = await trees.of(image);
            if (tree) ready.push({ tree, ip, paths });
          } catch (error) {
            failures.push(error);
          }
        }
        await network.setExports(exports, ready);
        // The others have theirs; what failed is tried again.
        if (failures.length > 0) throw failures[0];
        last = { exports, trees: wishes };
      },
    },
  };
}
