//! What people see: tables, progress, text made safe for a terminal.

pub mod table;
