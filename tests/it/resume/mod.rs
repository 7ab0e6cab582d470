//! A job that is ended in any way and run again leaves what one leaves that nobody disturbed.

mod chaos;
pub mod content;
mod damage;
mod existing;
mod growing;
mod identity;
mod inputs;
pub mod job;
mod kills;
mod limits;
mod mending;
mod merge;
mod owners;
mod random;
pub mod running;
mod siblings;
mod stops;
mod sweeps;
mod windows;
