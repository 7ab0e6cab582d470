//! A job that is ended in any way and run again leaves what one leaves that nobody disturbed.

mod chaos;
mod content;
mod damage;
mod existing;
mod growing;
mod identity;
mod inputs;
mod job;
mod kills;
mod limits;
mod merge;
mod owners;
mod random;
mod running;
mod stops;
mod sweeps;
