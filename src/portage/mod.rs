//! What Portage says and makes: packages, their index, the plan.
pub mod gpkg;
pub mod index;
