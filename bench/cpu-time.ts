/** CPU time of this process so far, in nanoseconds: a busy machine changes it less than the clock on the wall. */
export function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}
