using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Fewbit.Tensors.Emission;

/// <summary>A kernel that multiplies panels of bytes: (words, a, b, tile). It runs for microseconds, so that the garbage collector may wait for it.</summary>
internal unsafe struct EmittedInt8
{
    public delegate* unmanaged[SuppressGCTransition]<long, byte*, byte*, int*, void> Call;
}

/// <summary>Kernels for instructions that C# cannot name: vpdpbusd on 512 bits (AVX512-VNNI).</summary>
internal static unsafe class EmittedKernels
{
    /// <summary>Rows of the tallest tile.</summary>
    public const int MaxRows = 12;

    /// <summary>Columns of a tile: two vectors of 16 sums.</summary>
    public const int Columns = 32;

    private static readonly Lazy<EmittedInt8[]> SignedLeft = new(() => Emit(leftIsSigned: true)), SignedRight = new(() => Emit(leftIsSigned: false));

    /// <summary>CPUID leaf 7, ECX bit 11.</summary>
    public static bool IsVnniSupported => X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && (X86Base.CpuId(7, 0).Ecx & (1 << 11)) != 0;

    /// <summary>Kernels by number of rows (index 0 is unused): tile[r, c] = sum over words of the dot product of 4 signed and 4 unsigned bytes, exact in int32.</summary>
    /// <param name="leftIsSigned">Whether a holds the signed bytes (weights) or b does.</param>
    public static EmittedInt8[] ByRows(bool leftIsSigned) => (leftIsSigned ? SignedLeft : SignedRight).Value;

    private static EmittedInt8[] Emit(bool leftIsSigned)
    {
        var kernels = new EmittedInt8[MaxRows + 1];
        for (int rows = 1; rows <= MaxRows; rows++)
        {
            void* code = ExecutableMemory.Load(Assemble(assembler => WriteInt8(assembler, rows, leftIsSigned)));
            if (code == null) throw new InvalidOperationException("Bug in the kernel paths: emitted kernels were chosen although executable memory is refused");
            kernels[rows].Call = (delegate* unmanaged[SuppressGCTransition]<long, byte*, byte*, int*, void>)code;
        }
        return kernels;
    }

    internal static byte[] Assemble(Action<Assembler> write)
    {
        var assembler = new Assembler(64);
        write(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }

    /// <summary>Panels of a have <see cref="MaxRows"/> words a step, those of b <see cref="Columns"/>; the tile has <see cref="Columns"/> words a row.</summary>
    private static void WriteInt8(Assembler c, int rows, bool leftIsSigned)
    {
        (AssemblerRegister64 words, AssemblerRegister64 a, AssemblerRegister64 b, AssemblerRegister64 tile) = OperatingSystem.IsWindows() ? (rcx, rdx, r8, r9) : (rdi, rsi, rdx, rcx);
        Label loop = c.CreateLabel(), done = c.CreateLabel();
        SaveVectors(c);
        for (int i = 0; i < 2 * rows; i++) c.vpxord(Zmm(i), Zmm(i), Zmm(i));
        c.test(words, words);
        c.je(done);
        c.Label(ref loop);
        c.vmovdqu32(zmm24, __[b]);
        c.vmovdqu32(zmm25, __[b + 64]);
        for (int r = 0; r < rows; r++)
        {
            AssemblerRegisterZMM x = Zmm(26 + r % 6);
            c.vpbroadcastd(x, __dword_ptr[a + 4 * r]);
            for (int column = 0; column < 2; column++)
            {
                AssemblerRegisterZMM y = Zmm(24 + column), sum = Zmm(2 * r + column);
                if (leftIsSigned) c.vpdpbusd(sum, y, x);
                else c.vpdpbusd(sum, x, y);
            }
        }
        c.add(a, 4 * MaxRows);
        c.add(b, 4 * Columns);
        c.dec(words);
        c.jne(loop);
        c.Label(ref done);
        for (int i = 0; i < 2 * rows; i++) c.vmovdqu32(__[tile + 64 * i], Zmm(i));
        RestoreVectors(c);
        c.vzeroupper();
        c.ret();
    }

    /// <summary>Windows expects xmm6 to xmm15 to survive a call.</summary>
    internal static void SaveVectors(Assembler c)
    {
        if (!OperatingSystem.IsWindows()) return;
        c.sub(rsp, 168);
        for (int i = 6; i < 16; i++) c.vmovups(__xmmword_ptr[rsp + 16 * (i - 6)], Xmm(i));
    }

    internal static void RestoreVectors(Assembler c)
    {
        if (!OperatingSystem.IsWindows()) return;
        for (int i = 6; i < 16; i++) c.vmovups(Xmm(i), __xmmword_ptr[rsp + 16 * (i - 6)]);
        c.add(rsp, 168);
    }

    private static AssemblerRegisterZMM Zmm(int index) => new(Register.ZMM0 + index);

    private static AssemblerRegisterXMM Xmm(int index) => new(Register.XMM0 + index);
}
