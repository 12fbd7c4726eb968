/** Platform tables, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { BoardTables, platformTablesOptions } from './platform-tables.js';

export { BoardTables };

export const platformTables: DevicePart = {
  kind: 'device',
  name: 'platform-tables',
  summary: 'What a BIOS tells an operating system: ACPI, MultiProcessor and PCI interrupt routing tables',
  resources: {},
  options: platformTablesOptions,
  provides: ['platform-tables'],
  useClass: BoardTables,
};

export const plugin = definePlugin({ name: '@ringfence/platform-tables', sdk: SDK_VERSION, parts: [platformTables] });
