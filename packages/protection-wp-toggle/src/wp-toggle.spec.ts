/** The contract of every protection. */
import { protectionContract } from '@ringfence/testkit';
import { WpToggle } from './wp-toggle.js';

protectionContract('wp-toggle', () => new WpToggle());
