/** From the `shares` of a configuration to folders of the host, each found to be one that can be listed. */
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { RingfenceError, type ShareConfig, type SharedFolder } from '@ringfence/sdk';
import { HostFolder } from './host-folder.js';

/** Throws RF_SHARE_UNUSABLE and RF_RESOURCE_CONFLICT. */
export function openShares(configs: readonly ShareConfig[]): SharedFolder[] {
  const tags = new Set<string>();
  return configs.map(({ tag, path, writable, times }) => {
    if (tags.has(tag)) {
      throw new RingfenceError('RF_RESOURCE_CONFLICT', {
        message: `two shares have the tag ${tag}`,
        value: tag,
        fix: 'give each share a tag of its own',
      });
    }
    tags.add(tag);
    return new HostFolder({ tag, root: usableFolder(path, writable), writable, hostTimes: times === 'host' });
  });
}

function usableFolder(path: string, writable: boolean): string {
  try {
    const root = realpathSync(path);
    if (!statSync(root).isDirectory()) throw new Error('it is not a folder');
    accessSync(root, constants.R_OK | constants.X_OK | (writable ? constants.W_OK : 0));
    return root;
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new RingfenceError('RF_SHARE_UNUSABLE', {
      message: missing ? `there is no folder ${path}` : `cannot share ${path}: ${(cause as Error).message}`,
      value: path,
      fix: `name a folder that you may read${writable ? ' and write' : ''}`,
      cause,
    });
  }
}
