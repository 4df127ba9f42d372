//! The monitor as it is seen: screens kept in `screens/`, at two sizes, with colours and without; and what keys do.
//!
//! `SWARM_BLESS=1` writes the screens anew.

mod keys;
mod scene;
mod screens;
