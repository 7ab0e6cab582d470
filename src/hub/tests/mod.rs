//! Downloads from a Hub of our own on this machine.
