//! Views: what they answer, and that they are nothing but the journal read in order.

mod as_of;
mod damage;
mod executions;
mod indexes;
mod rebuild;
mod subscription;
mod support;
