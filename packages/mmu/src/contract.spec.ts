import { mmuContract } from '@ringfence/testkit';
import { PagingMmu } from './paging.js';

mmuContract(
  'PagingMmu',
  ({ memory, space }) => new PagingMmu({ memory, space, slot: 0, features: { pse: true, pge: true, pae: true } }),
);
