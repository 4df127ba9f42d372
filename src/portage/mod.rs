//! What Portage says and makes: plans, binary packages, package indexes. Nothing here knows how a host is reached.

pub mod probe;
