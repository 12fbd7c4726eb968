// sha256 45272921cb7329ea851c07e2aba38288a0bf6a1d7691806ff316ab8f76a7e3c8

[000h 0000   4]                    Signature : "RSDT"    [Root System Description Table]
[004h 0004   4]                 Table Length : 00000030
[008h 0008   1]                     Revision : 01
[009h 0009   1]                     Checksum : 69
[00Ah 0010   6]                       Oem ID : "RNGFNC"
[010h 0016   8]                 Oem Table ID : "RINGFENC"
[018h 0024   4]                 Oem Revision : 00000001
[01Ch 0028   4]              Asl Compiler ID : "RNGF"
[020h 0032   4]        Asl Compiler Revision : 00000001
[024h 0036   4]       ACPI Table Address   0 : 00000FC0
[028h 0040   4]       ACPI Table Address   1 : 000010C0
[02Ch 0044   4]       ACPI Table Address   2 : 00001140
