/** The contract of every protection. */
import { protectionContract } from '@ringfence/testkit';
import { PdbrReload } from './pdbr-reload.js';

protectionContract('pdbr-reload', () => new PdbrReload());
