/**
 * What a configuration says about the network (config.ts): the card, and what stands at the other end of its cable. Shapes
 * only; whether names and addresses are some, whoever opens the network checks.
 */
import { z } from 'zod';

const port = z.number().int().min(1).max(65_535);

const forwardConfigSchema = z.strictObject({
  protocol: z.enum(['tcp', 'udp']).default('tcp'),
  hostPort: port.describe('On 127.0.0.1 of the host.'),
  guestPort: port.describe('At 10.0.2.15, the address that the guest gets.'),
});
export type ForwardConfig = z.infer<typeof forwardConfigSchema>;

export const networkConfigSchema = z
  .strictObject({
    card: z.string().min(1).default('virtio-net').describe('The card on the board by its name, or none.'),
    mac: z
      .string()
      .regex(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i, 'not the address of one card, such as 52:54:00:12:34:56')
      .default('52:54:00:12:34:56'),
    hosts: z
      .record(z.string(), z.union([z.string(), z.array(z.string()).min(1).max(8)]))
      .default({})
      .describe('Names that the name server knows, and their IPv4 and IPv6 addresses.'),
    serve: z
      .record(z.string().startsWith('/'), z.string().min(1))
      .default({})
      .describe('Files at http://10.0.2.2/ and by TFTP: path, and file relative to the configuration file.'),
    host: z
      .enum(['deny', 'allow'])
      .default('deny')
      .describe("allow: the guest reaches the host's network; runs are then no longer alike."),
    loopback: z
      .enum(['deny', 'allow'])
      .default('deny')
      .describe('allow, with host: 10.0.2.2 is 127.0.0.1 of the host.'),
    forwards: z.array(forwardConfigSchema).max(64).default([]).describe('Ports of the host that lead to the guest.'),
  })
  .describe('A network card and its network; absent: no card.');
export type NetworkConfig = z.infer<typeof networkConfigSchema>;
