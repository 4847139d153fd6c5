/** `spillway/balance`: choosing a server. */
export {
  type Balancer,
  type BalancerName,
  type BalancerOptions,
  balancers,
  createBalancer,
  type PickContext,
} from './balancer.ts';
