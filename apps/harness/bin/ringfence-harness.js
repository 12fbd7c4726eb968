#!/usr/bin/env node
// The `ringfence-harness` command. Starts dist/main.js under Node >= 24 (see tools/workspace/node24.mjs); holds no logic of its own.
import { launch } from '../../../tools/workspace/node24.mjs';

await launch(import.meta.url);
