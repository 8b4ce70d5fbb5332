import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderMetrics } from './metrics.ts';

test('help and values of labels are escaped', () => {
  const text = renderMetrics([
    {
      ...{ name: 'a_total', type: 'counter', help: 'One\ntwo \\ "three".' },
      samples: [{ labels: { path: 'C:\\x "y"\nz', b: 'é' }, value: 1.5 }],
    },
    {
      name: 'b',
      type: 'summary',
      help: 'B.',
      samples: [
        { suffix: '_sum', value: 3e21 },
        { suffix: '_count', value: 0 },
      ],
    },
  ]);
  assert.equal(
    text,
    `# HELP a_total One\\ntwo \\\\ "three".
# TYPE a_total counter
a_total{path="C:\\\\x \\"y\\"\\nz",b="é"} 1.5
# HELP b B.
# TYPE b summary
b_sum 3e+21
b_count 0
`,
  );
});
