/** Plugin: the `wp-toggle` protection. */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { WpToggle } from './wp-toggle.js';

export { WpToggle };

export const plugin = definePlugin({
  name: '@ringfence/protection-wp-toggle',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'protection',
      name: 'wp-toggle',
      summary: 'clears CR0.WP while the monitor writes its window',
      useClass: WpToggle,
    },
  ],
});
