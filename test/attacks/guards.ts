export type GuardId = string;
