//! End to end tests, in one binary: linking it takes longer than running most of them.

#![expect(clippy::panic, clippy::expect_used, reason = "tests")]

mod before_deploy;
mod blockers;
mod capacity;
mod changes;
mod cycle;
mod destroy;
mod drift;
mod emulators;
mod event_shapes;
mod failures;
mod figures;
mod first_day;
mod guards;
mod image_push;
mod interrupt;
mod kill;
mod least_privilege;
mod lock;
mod models;
mod operate;
mod platform;
mod recorded;
mod replace;
mod restore;
mod roles;
mod rollout;
mod rows;
mod secrets;
mod sigkill;
mod terraform;
