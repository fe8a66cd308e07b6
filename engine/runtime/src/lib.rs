//! The engine: advance, and the drivers that carry its commands out.
