//! HPE Slingshot (CXI) NICs in containers.
