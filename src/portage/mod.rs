//! What Portage says and makes: lists of packages, plans, packages and their index.
//!
//! Nothing here knows SSH: it reads texts and files that others brought.

pub mod gpkg;
pub mod index;
pub mod list;
pub mod pretend;
