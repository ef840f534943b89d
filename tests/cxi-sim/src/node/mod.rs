//! An emulated Slingshot node.
