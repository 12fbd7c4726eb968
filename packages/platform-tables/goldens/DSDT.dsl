// sha256 8c8409ffe81dd7382fbd036f4770471c5d4de952aabdf304588308c5a370d11c
DefinitionBlock ("", "DSDT", 1, "RNGFNC", "RINGFENC", 0x00000001)
{
    Scope (\_PR)
    {
        Processor (CPU0, 0x00, 0x00000000, 0x00) {  }
    }
    Name (\_S5, Package (0x04) { Zero, Zero, Zero, Zero })
    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03") /* PCI Bus */)
            Name (_UID, Zero)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, 0x0000, 0x00FF, 0x0000, 0x0100, ,, )
                IO (Decode16,
                    0x0CF8, 0x0CF8, 0x01, 0x08, )
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000, 0x0000, 0x0CF7, 0x0000, 0x0CF8, ,, , TypeStatic, DenseTranslation)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000, 0x0D00, 0xFFFF, 0x0000, 0xF300, ,, , TypeStatic, DenseTranslation)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, 0x000A0000, 0x000BFFFF, 0x00000000, 0x00020000, ,, , AddressRangeMemory, TypeStatic)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, 0x80000000, 0xFEBFFFFF, 0x00000000, 0x7EC00000, ,, , AddressRangeMemory, TypeStatic)
            })
            Name (_PRT, Package (0x80)
            {
                Package (0x04) { 0xFFFF, Zero, \_SB.LNKD, Zero },
                Package (0x04) { 0xFFFF, One, \_SB.LNKA, Zero },
                Package (0x04) { 0xFFFF, 0x02, \_SB.LNKB, Zero },
                Package (0x04) { 0xFFFF, 0x03, \_SB.LNKC, Zero },
                Package (0x04) { 0x0001FFFF, Zero, \_SB.LNKA, Zero },
                Package (0x04) { 0x0001FFFF, One, \_SB.LNKB, Zero },
                Package (0x04) { 0x0001FFFF, 0x02, \_SB.LNKC, Zero },
                Package (0x04) { 0x0001FFFF, 0x03, \_SB.LNKD, Zero },
                Package (0x04) { 0x0002FFFF, Zero, \_SB.LNKB, Zero },
                Package (0x04) { 0x0002FFFF, One, \_SB.LNKC, Zero },
                Package (0x04) { 0x0002FFFF, 0x02, \_SB.LNKD, Zero },
                Package (0x04) { 0x0002FFFF, 0x03, \_SB.LNKA, Zero },
                Package (0x04) { 0x0003FFFF, Zero, \_SB.LNKC, Zero },
                Package (0x04) { 0x0003FFFF, One, \_SB.LNKD, Zero },
                Package (0x04) { 0x0003FFFF, 0x02, \_SB.LNKA, Zero },
                Package (0x04) { 0x0003FFFF, 0x03, \_SB.LNKB, Zero },
                Package (0x04) { 0x0004FFFF, Zero, \_SB.LNKD, Zero },
                Package (0x04) { 0x0004FFFF, One, \_SB.LNKA, Zero },
                Package (0x04) { 0x0004FFFF, 0x02, \_SB.LNKB, Zero },
                Package (0x04) { 0x0004FFFF, 0x03, \_SB.LNKC, Zero },
                Package (0x04) { 0x0005FFFF, Zero, \_SB.LNKA, Zero },
                Package (0x04) { 0x0005FFFF, One, \_SB.LNKB, Zero },
                Package (0x04) { 0x0005FFFF, 0x02, \_SB.LNKC, Zero },
                Package (0x04) { 0x0005FFFF, 0x03, \_SB.LNKD, Zero },
                Package (0x04) { 0x0006FFFF, Zero, \_SB.LNKB, Zero },
                Package (0x04) { 0x0006FFFF, One, \_SB.LNKC, Zero },
                Package (0x04) { 0x0006FFFF, 0x02, \_SB.LNKD, Zero },
                Package (0x04) { 0x0006FFFF, 0x03, \_SB.LNKA, Zero },
                Package (0x04) { 0x0007FFFF, Zero, \_SB.LNKC, Zero },
                Package (0x04) { 0x0007FFFF, One, \_SB.LNKD, Zero },
                Package (0x04) { 0x0007FFFF, 0x02, \_SB.LNKA, Zero },
                Package (0x04) { 0x0007FFFF, 0x03, \_SB.LNKB, Zero },
                Package (0x04) { 0x0008FFFF, Zero, \_SB.LNKD, Zero },
                Package (0x04) { 0x0008FFFF, One, \_SB.LNKA, Zero },
                Package (0x04) { 0x0008FFFF, 0x02, \_SB.LNKB, Zero },
                Package (0x04) { 0x0008FFFF, 0x03, \_SB.LNKC, Zero },
                Package (0x04) { 0x0009FFFF, Zero, \_SB.LNKA, Zero },
                Package (0x04) { 0x0009FFFF, One, \_SB.LNKB, Zero },
                Package (0x04) { 0x0009FFFF, 0x02, \_SB.LNKC, Zero },
                Package (0x04) { 0x0009FFFF, 0x03, \_SB.LNKD, Zero },
                Package (0x04) { 0x000AFFFF, Zero, \_SB.LNKB, Zero },
                Package (0x04) { 0x000AFFFF, One, \_SB.LNKC, Zero },
                Package (0x04) { 0x000AFFFF, 0x02, \_SB.LNKD, Zero },
                Package (0x04) { 0x000AFFFF, 0x03, \_SB.LNKA, Zero },
                Package (0x04) { 0x000BFFFF, Zero, \_SB.LNKC, Zero },
                Package (0x04) { 0x000BFFFF, One, \_SB.LNKD, Zero },
                Package (0x04) { 0x000BFFFF, 0x02, \_SB.LNKA, Zero },
                Package (0x04) { 0x000BFFFF, 0x03, \_SB.LNKB, Zero },
                Package (0x04) { 0x000CFFFF, Zero, \_SB.LNKD, Zero },
                Package (0x04) { 0x000CFFFF, One, \_SB.LNKA, Zero },
                Package (0x04) { 0x000CFFFF, 0x02, \_SB.LNKB, Zero },
                Package (0x04) { 0x000CFFFF, 0x03, \_SB.LNKC, Zero },
                Package (0x04) { 0x000DFFFF, Zero, \_SB.LNKA, Zero },
                Package (0x04) { 0x000DFFFF, One, \_SB.LNKB, Zero },
                Package (0x04) { 0x000DFFFF, 0x02, \_SB.LNKC, Zero },
                Package (0x04) { 0x000DFFFF, 0x03, \_SB.LNKD, Zero },
                Package (0x04) { 0x000EFFFF, Zero, \_SB.LNKB, Zero },
                Package (0x04) { 0x000EFFFF, One, \_SB.LNKC, Zero },
                Package (0x04) { 0x000EFFFF, 0x02, \_SB.LNKD, Zero },
                Package (0x04) { 0x000EFFFF, 0x03, \_SB.LNKA, Zero },
                Package (0x04) { 0x000FFFFF, Zero, \_SB.LNKC, Zero },
                Package (0x04) { 0x000FFFFF, One, \_SB.LNKD, Zero },
                Package (0x04) { 0x000FFFFF, 0x02, \_SB.LNKA, Zero },
                Package (0x04) { 0x000FFFFF, 0x03, \_SB.LNKB, Zero },
                Package (0x04) { 0x0010FFFF, Zero, \_SB.LNKD, Zero },
                Package (0x04) { 0x0010FFFF, One, \_SB.LNKA, Zero },
                Package (0x04) { 0x0010FFFF, 0x02, \_SB.LNKB, Zero },
                Package (0x04) { 0x0010FFFF, 0x03, \_SB.LNKC, Zero },
                Package (0x04) { 0x0011FFFF, Zero, \_SB.LNKA, Zero },
                Package (0x04) { 0x0011FFFF, One, \_SB.LNKB, Zero },
                Package (0x04) { 0x0011FFFF, 0x02, \_SB.LNKC, Zero },
                Package (0x04) { 0x0011FFFF, 0x03, \_SB.LNKD, Zero },
                Package (0x04) { 0x0012FFFF, Zero, \_SB.LNKB, Zero },
                Package (0x04) { 0x0012FFFF, One, \_SB.LNKC, Zero },
                Package (0x04) { 0x0012FFFF, 0x02, \_SB.LNKD, Zero },
                Package (0x04) { 0x0012FFFF, 0x03, \_SB.LNKA, Zero },
                Package (0x04) { 0x0013FFFF, Zero, \_SB.LNKC, Zero },
                Package (0x04) { 0x0013FFFF, One, \_SB.LNKD, Zero },
                Package (0x04) { 0x0013FFFF, 0x02, \_SB.LNKA, Zero },
                Package (0x04) { 0x0013FFFF, 0x03, \_SB.LNKB, Zero },
                Package (0x04) { 0x0014FFFF, Zero, \_SB.LNKD, Zero },
                Package (0x04) { 0x0014FFFF, One, \_SB.LNKA, Zero },
                Package (0x04) { 0x0014FFFF, 0x02, \_SB.LNKB, Zero },
                Package (0x04) { 0x0014FFFF, 0x03, \_SB.LNKC, Zero },
                Package (0x04) { 0x0015FFFF, Zero, \_SB.LNKA, Zero },
                Package (0x04) { 0x0015FFFF, One, \_SB.LNKB, Zero },
                Package (0x04) { 0x0015FFFF, 0x02, \_SB.LNKC, Zero },
                Package (0x04) { 0x0015FFFF, 0x03, \_SB.LNKD, Zero },
                Package (0x04) { 0x0016FFFF, Zero, \_SB.LNKB, Zero },
                Package (0x04) { 0x0016FFFF, One, \_SB.LNKC, Zero },
                Package (0x04) { 0x0016FFFF, 0x02, \_SB.LNKD, Zero },
                Package (0x04) { 0x0016FFFF, 0x03, \_SB.LNKA, Zero },
                Package (0x04) { 0x0017FFFF, Zero, \_SB.LNKC, Zero },
                Package (0x04) { 0x0017FFFF, One, \_SB.LNKD, Zero },
                Package (0x04) { 0x0017FFFF, 0x02, \_SB.LNKA, Zero },
                Package (0x04) { 0x0017FFFF, 0x03, \_SB.LNKB, Zero },
                Package (0x04) { 0x0018FFFF, Zero, \_SB.LNKD, Zero },
                Package (0x04) { 0x0018FFFF, One, \_SB.LNKA, Zero },
                Package (0x04) { 0x0018FFFF, 0x02, \_SB.LNKB, Zero },
                Package (0x04) { 0x0018FFFF, 0x03, \_SB.LNKC, Zero },
                Package (0x04) { 0x0019FFFF, Zero, \_SB.LNKA, Zero },
                Package (0x04) { 0x0019FFFF, One, \_SB.LNKB, Zero },
                Package (0x04) { 0x0019FFFF, 0x02, \_SB.LNKC, Zero },
                Package (0x04) { 0x0019FFFF, 0x03, \_SB.LNKD, Zero },
                Package (0x04) { 0x001AFFFF, Zero, \_SB.LNKB, Zero },
                Package (0x04) { 0x001AFFFF, One, \_SB.LNKC, Zero },
                Package (0x04) { 0x001AFFFF, 0x02, \_SB.LNKD, Zero },
                Package (0x04) { 0x001AFFFF, 0x03, \_SB.LNKA, Zero },
                Package (0x04) { 0x001BFFFF, Zero, \_SB.LNKC, Zero },
                Package (0x04) { 0x001BFFFF, One, \_SB.LNKD, Zero },
                Package (0x04) { 0x001BFFFF, 0x02, \_SB.LNKA, Zero },
                Package (0x04) { 0x001BFFFF, 0x03, \_SB.LNKB, Zero },
                Package (0x04) { 0x001CFFFF, Zero, \_SB.LNKD, Zero },
                Package (0x04) { 0x001CFFFF, One, \_SB.LNKA, Zero },
                Package (0x04) { 0x001CFFFF, 0x02, \_SB.LNKB, Zero },
                Package (0x04) { 0x001CFFFF, 0x03, \_SB.LNKC, Zero },
                Package (0x04) { 0x001DFFFF, Zero, \_SB.LNKA, Zero },
                Package (0x04) { 0x001DFFFF, One, \_SB.LNKB, Zero },
                Package (0x04) { 0x001DFFFF, 0x02, \_SB.LNKC, Zero },
                Package (0x04) { 0x001DFFFF, 0x03, \_SB.LNKD, Zero },
                Package (0x04) { 0x001EFFFF, Zero, \_SB.LNKB, Zero },
                Package (0x04) { 0x001EFFFF, One, \_SB.LNKC, Zero },
                Package (0x04) { 0x001EFFFF, 0x02, \_SB.LNKD, Zero },
                Package (0x04) { 0x001EFFFF, 0x03, \_SB.LNKA, Zero },
                Package (0x04) { 0x001FFFFF, Zero, \_SB.LNKC, Zero },
                Package (0x04) { 0x001FFFFF, One, \_SB.LNKD, Zero },
                Package (0x04) { 0x001FFFFF, 0x02, \_SB.LNKA, Zero },
                Package (0x04) { 0x001FFFFF, 0x03, \_SB.LNKB, Zero }
            })
            Device (ISA)
            {
                Name (_ADR, 0x00010000)
                OperationRegion (PIRQ, PCI_Config, 0x60, 0x04)
                Field (PIRQ, ByteAcc, NoLock, Preserve) { PRQA, 8, PRQB, 8, PRQC, 8, PRQD, 8 }
                Device (COM1)
                {
                    Name (_HID, EisaId ("PNP0501") /* 16550A-compatible COM Serial Port */)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16,
                            0x03F8, 0x03F8, 0x01, 0x08, )
                        IRQNoFlags () { 4 }
                    })
                }
                Device (KBD)
                {
                    Name (_HID, EisaId ("PNP0303") /* IBM Enhanced Keyboard (101/102-key, PS/2 Mouse) */)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16,
                            0x0060, 0x0060, 0x01, 0x01, )
                        IO (Decode16,
                            0x0064, 0x0064, 0x01, 0x01, )
                        IRQNoFlags () { 1 }
                    })
                }
                Device (FDC)
                {
                    Name (_HID, EisaId ("PNP0700"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16,
                            0x03F0, 0x03F0, 0x01, 0x06, )
                        IRQNoFlags () { 6 }
                        DMA (Compatibility, NotBusMaster, Transfer8, ) { 2 }
                    })
                }
                Device (MBRD)
                {
                    Name (_HID, EisaId ("PNP0C02") /* PNP Motherboard Resources */)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16,
                            0x0600, 0x0600, 0x01, 0x40, )
                        IO (Decode16,
                            0x00B2, 0x00B2, 0x01, 0x02, )
                    })
                }
                Device (HPET)
                {
                    Name (_HID, EisaId ("PNP0103") /* HPET System Timer */)
                    Name (_CRS, ResourceTemplate ()
                    {
                        Memory32Fixed (ReadWrite,
                            0xFED00000, 0x00000400, )
                    })
                }
            }
        }
        Method (PSTA, 1, Serialized)
        {
            If ((Arg0 & 0x80))
            {
                Return (0x09)
            }
            Return (0x0B)
        }
        Method (PCRS, 1, Serialized)
        {
            Name (PBUF, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared, ,, _Y00) { 0x00000000, }
            })
            CreateDWordField (PBUF, \_SB.PCRS._Y00._INT, PIRN)
            If ((Arg0 & 0x80)) { PIRN = Zero }
            Else
            {
                PIRN = (Arg0 & 0x0F)
            }
            Return (PBUF) /* \_SB_.PCRS.PBUF */
        }
        Device (LNKA)
        {
            Name (_HID, EisaId ("PNP0C0F") /* PCI Interrupt Link Device */)
            Name (_UID, One)
            Name (_PRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared, ,, ) { 0x00000005, 0x0000000A, 0x0000000B, }
            })
            Method (_STA, 0, Serialized)
            {
                Return (PSTA (\_SB.PCI0.ISA.PRQA))
            }
            Method (_DIS, 0, Serialized) { \_SB.PCI0.ISA.PRQA |= 0x80 }
            Method (_CRS, 0, Serialized)
            {
                Return (PCRS (\_SB.PCI0.ISA.PRQA))
            }
            Method (_SRS, 1, Serialized)
            {
                CreateDWordField (Arg0, 0x05, PSRN)
                \_SB.PCI0.ISA.PRQA = PSRN /* \_SB_.LNKA._SRS.PSRN */
            }
        }
        Device (LNKB)
        {
            Name (_HID, EisaId ("PNP0C0F") /* PCI Interrupt Link Device */)
            Name (_UID, 0x02)
            Name (_PRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared, ,, ) { 0x00000005, 0x0000000A, 0x0000000B, }
            })
            Method (_STA, 0, Serialized)
            {
                Return (PSTA (\_SB.PCI0.ISA.PRQB))
            }
            Method (_DIS, 0, Serialized) { \_SB.PCI0.ISA.PRQB |= 0x80 }
            Method (_CRS, 0, Serialized)
            {
                Return (PCRS (\_SB.PCI0.ISA.PRQB))
            }
            Method (_SRS, 1, Serialized)
            {
                CreateDWordField (Arg0, 0x05, PSRN)
                \_SB.PCI0.ISA.PRQB = PSRN /* \_SB_.LNKB._SRS.PSRN */
            }
        }
        Device (LNKC)
        {
            Name (_HID, EisaId ("PNP0C0F") /* PCI Interrupt Link Device */)
            Name (_UID, 0x03)
            Name (_PRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared, ,, ) { 0x00000005, 0x0000000A, 0x0000000B, }
            })
            Method (_STA, 0, Serialized)
            {
                Return (PSTA (\_SB.PCI0.ISA.PRQC))
            }
            Method (_DIS, 0, Serialized) { \_SB.PCI0.ISA.PRQC |= 0x80 }
            Method (_CRS, 0, Serialized)
            {
                Return (PCRS (\_SB.PCI0.ISA.PRQC))
            }
            Method (_SRS, 1, Serialized)
            {
                CreateDWordField (Arg0, 0x05, PSRN)
                \_SB.PCI0.ISA.PRQC = PSRN /* \_SB_.LNKC._SRS.PSRN */
            }
        }
        Device (LNKD)
        {
            Name (_HID, EisaId ("PNP0C0F") /* PCI Interrupt Link Device */)
            Name (_UID, 0x04)
            Name (_PRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared, ,, ) { 0x00000005, 0x0000000A, 0x0000000B, }
            })
            Method (_STA, 0, Serialized)
            {
                Return (PSTA (\_SB.PCI0.ISA.PRQD))
            }
            Method (_DIS, 0, Serialized) { \_SB.PCI0.ISA.PRQD |= 0x80 }
            Method (_CRS, 0, Serialized)
            {
                Return (PCRS (\_SB.PCI0.ISA.PRQD))
            }
            Method (_SRS, 1, Serialized)
            {
                CreateDWordField (Arg0, 0x05, PSRN)
                \_SB.PCI0.ISA.PRQD = PSRN /* \_SB_.LNKD._SRS.PSRN */
            }
        }
    }
}
