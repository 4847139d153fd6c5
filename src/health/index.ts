/** `spillway/health`: what checks and traffic say about an endpoint, and what follows for the balancer. */
export { initialHealth, step } from './active.ts';
export type { CheckFailureCode, CheckPolicy, CheckResult, Health, HealthState, HealthTransition } from './active.ts';
export { conditionOf } from './condition.ts';
export type { Condition, ConditionTransition, EndpointHealth, HealthCause } from './condition.ts';
export { defaultEjectionPolicy, TRIAL_SHARE } from './ejection.ts';
export type { EjectionPolicy } from './ejection.ts';
export { defaultEligibilityPolicy, eligible } from './eligible.ts';
export type { Candidate, Decision, Eligibility, EligibilityPolicy } from './eligible.ts';
export { judgeHead, readBanner, readBody } from './expectation.ts';
export type { HttpExpectation, Reading, ReceivedHeaders, StatusRange, TcpExpectation } from './expectation.ts';
export { GRPC_ANSWER_BYTES_MAX, GRPC_HEALTH_PATH, grpcHealthRequest, judgeGrpcHealth } from './grpc-health.ts';
export type { GrpcAnswer } from './grpc-health.ts';
export { defaultPassivePolicy } from './passive.ts';
export type { PassivePolicy } from './passive.ts';
export { ServiceHealth } from './service-health.ts';
export type { EvaluatedEndpoint, Evaluation, HealthMember, HealthPolicy } from './service-health.ts';
export { createTrafficCell, TrafficRecorder, trafficResults } from './traffic.ts';
export type { RowPolicy, TrafficRecorderOptions, TrafficResult, TrafficResultName } from './traffic.ts';
