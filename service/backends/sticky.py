"""Errors of CUDA after which a process can compute no more on its GPU: it has to end, and another be started."""

STICKY = {
    214: "an ECC error",
    219: "an MPS server that is gone",
    700: "an illegal address",
    702: "a kernel that ran too long",
    709: "a destroyed context",
    710: "a failed assertion",
    714: "a hardware stack error",
    715: "an illegal instruction",
    716: "a misaligned address",
    717: "an invalid address space",
    718: "an invalid program counter",
    719: "a failed launch",
    999: "an unknown error",
}
