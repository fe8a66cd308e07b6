//! What the connector can do, one file each: [`ViewRegistration`], [`Register`].

mod register;
mod view_registration;

pub use register::{Register, RegisterInput, Registered};
pub use view_registration::{RegistrationView, ViewRegistration, ViewRegistrationInput};
