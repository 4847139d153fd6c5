/** An SLO of OpenSLO v1 whose indicator is a document of its own, for tests that change a line of it. */
export const openSlo = `apiVersion: openslo/v1
kind: SLO
metadata: { name: orders, labels: { team: web }, annotations: { spillway/sla: 99.5% } }
spec:
  service: shop
  description: Orders arrive.
  indicatorRef: orders
  timeWindow: [{ duration: 4w, isRolling: true }]
  budgetingMethod: Occurrences
  objectives: [{ target: 0.999 }]
---
apiVersion: openslo/v1
kind: SLI
metadata: { name: orders }
spec:
  ratioMetric:
    counter: true
    bad: { metricSource: { type: Prometheus, spec: { query: 'orders_total{ok="no"}' } } }
    total: { metricSource: { type: Prometheus, spec: { query: orders_total } } }
`;
