/**
 * Where dependency injection starts. tsyringe exports one global container only; a machine's must not reach it, not even
 * as a parent to fall back on, so each machine makes a container of its own here and children from that.
 */
import { container, type DependencyContainer } from 'tsyringe';

/** A container with no parent and nothing registered. */
export function createContainer(): DependencyContainer {
  const Container = container.constructor as new () => DependencyContainer;
  return new Container();
}
