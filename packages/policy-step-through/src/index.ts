/** Plugin: the `step-through` monitor policy. */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { StepThrough } from './step-through.js';

export { StepThrough };

export const plugin = definePlugin({
  name: '@ringfence/policy-step-through',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'policy',
      name: 'step-through',
      summary: "maps the guest's page and single-steps the instruction: two exits, no user instruction emulated",
      useClass: StepThrough,
    },
  ],
});
