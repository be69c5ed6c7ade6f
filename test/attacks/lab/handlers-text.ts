// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** A message that keeps the handler waiting until its call is cancelled. */
export const waitText = "wait";

/** A message that lets the handler change its principal as much as it can. */
export const mutateText = "mutate";
