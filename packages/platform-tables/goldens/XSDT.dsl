// sha256 06c1c877e45dafc01eb7535705ac11771d2a30b42449ecff176d0bac80bc370e

[000h 0000   4]                    Signature : "XSDT"    [Extended System Description Table]
[004h 0004   4]                 Table Length : 0000003C
[008h 0008   1]                     Revision : 01
[009h 0009   1]                     Checksum : 57
[00Ah 0010   6]                       Oem ID : "RNGFNC"
[010h 0016   8]                 Oem Table ID : "RINGFENC"
[018h 0024   4]                 Oem Revision : 00000001
[01Ch 0028   4]              Asl Compiler ID : "RNGF"
[020h 0032   4]        Asl Compiler Revision : 00000001
[024h 0036   8]       ACPI Table Address   0 : 0000000000000FC0
[02Ch 0044   8]       ACPI Table Address   1 : 00000000000010C0
[034h 0052   8]       ACPI Table Address   2 : 0000000000001140
