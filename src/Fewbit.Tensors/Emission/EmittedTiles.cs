using Fewbit.Tensors.Kernels;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Fewbit.Tensors.Emission;

/// <summary>A convolution tile of fixed size. It runs for microseconds, so that the garbage collector may wait for it.</summary>
internal readonly unsafe struct EmittedTile(void* code)
{
    public readonly delegate* unmanaged[SuppressGCTransition]<TileTask*, void> Call = (delegate* unmanaged[SuppressGCTransition]<TileTask*, void>)code;
}

/// <summary>Convolution tiles with every sum in a register: one emitted form for each number of blocks, pixels and steps, made when it is first asked for.</summary>
/// <remarks>The compiler keeps 24 sums in registers too, but each size of tile would be a method of its own, and ten pointers to pixels leave it no register to count with.</remarks>
internal static unsafe class EmittedTiles
{
    private const int Sizes = 16;

    private static readonly Lock Gate = new();
    private static readonly nint[] Made = new nint[(TileKernel.MostSteps + 1) * (TileKernel.MostBlocks + 1) * Sizes];

    /// <summary>One pointer to a pixel each.</summary>
    private static readonly AssemblerRegister64[] PixelRegisters = [rax, r9, r10, r11, rbx, rbp, r12, r13, r14, r15];

    /// <summary>Used as pointers to pixels, but owned by the caller.</summary>
    private static readonly AssemblerRegister64[] SavedRegisters = [rbx, rbp, r12, r13, r14, r15];

    public static EmittedTile Get(int blocks, int pixels, int steps)
    {
        ref nint made = ref Made[(steps * (TileKernel.MostBlocks + 1) + blocks) * Sizes + pixels];
        nint code = Volatile.Read(ref made);
        return new((void*)(code != 0 ? code : Make(ref made, blocks, pixels, steps)));
    }

    private static nint Make(ref nint made, int blocks, int pixels, int steps)
    {
        lock (Gate)
        {
            if (made != 0) return made;
            void* code = ExecutableMemory.Load(EmittedKernels.Assemble(assembler => Write(assembler, blocks, pixels, steps)));
            if (code == null) throw new InvalidOperationException("Bug in the kernel paths: emitted kernels were chosen although executable memory is refused");
            Volatile.Write(ref made, (nint)code);
            return made;
        }
    }

    private static void Write(Assembler c, int blocks, int pixels, int steps)
    {
        Label segment = c.CreateLabel(), tap = c.CreateLabel();
        EmittedKernels.SaveVectors(c);
        foreach (AssemblerRegister64 register in SavedRegisters) c.push(register);
        if (OperatingSystem.IsWindows())
        {
            c.push(rdi);
            c.push(rsi);
            c.mov(rdi, rcx);
        }
        WriteStart(c, blocks, pixels);
        c.mov(rsi, Field(nameof(TileTask.Weights)));
        c.mov(r8, Field(nameof(TileTask.Segments)));
        c.Label(ref segment);
        c.mov(rcx, __qword_ptr[r8]);
        c.add(rcx, Field(nameof(TileTask.Image)));
        c.mov(rdx, Field(nameof(TileTask.Offsets)));
        c.Label(ref tap);
        for (int i = 0; i < pixels; i++)
        {
            c.movsxd(PixelRegisters[i], __dword_ptr[rdx + 4 * i]);
            c.test(PixelRegisters[i], PixelRegisters[i]);
            c.lea(PixelRegisters[i], __[PixelRegisters[i] + rcx]);
            c.cmovs(PixelRegisters[i], Field(nameof(TileTask.Zeros)));
        }
        for (int step = 0; step < steps; step++) WriteStep(c, blocks, pixels, step);
        c.add(rsi, steps * blocks * 64);
        c.add(rdx, TileSum.Block * sizeof(int));
        c.cmp(rdx, Field(nameof(TileTask.OffsetsEnd)));
        c.jb(tap);
        c.add(r8, sizeof(long));
        c.cmp(r8, Field(nameof(TileTask.SegmentsEnd)));
        c.jb(segment);
        EmittedActivation.Write(c, blocks * pixels, OffsetOf(nameof(TileTask.End)));
        WriteStore(c, blocks, pixels);
        if (OperatingSystem.IsWindows())
        {
            c.pop(rsi);
            c.pop(rdi);
        }
        foreach (AssemblerRegister64 register in SavedRegisters.Reverse()) c.pop(register);
        EmittedKernels.RestoreVectors(c);
        c.vzeroupper();
        c.ret();
    }

    /// <summary>Sums start as bias, plus what <see cref="TileTask.Start"/> holds.</summary>
    private static void WriteStart(Assembler c, int blocks, int pixels)
    {
        Label done = c.CreateLabel();
        c.mov(rax, Field(nameof(TileTask.Bias)));
        for (int b = 0; b < blocks; b++)
        {
            c.vmovups(Sum(b * pixels), __zmmword_ptr[rax + 64 * b]);
            for (int i = 1; i < pixels; i++) c.vmovaps(Sum(b * pixels + i), Sum(b * pixels));
        }
        c.mov(rax, Field(nameof(TileTask.Start)));
        c.test(rax, rax);
        c.je(done);
        for (int b = 0; b < blocks; b++)
        {
            for (int i = 0; i < pixels; i++) c.vaddps(Sum(b * pixels + i), Sum(b * pixels + i), __zmmword_ptr[rax + 64 * i]);
            c.add(rax, Field(nameof(TileTask.BlockBytes)));
        }
        c.Label(ref done);
        c.nop();
    }

    /// <summary>One input channel (or kernel column): an operand that several blocks share is loaded once, else it is read by the multiplication itself.</summary>
    private static void WriteStep(Assembler c, int blocks, int pixels, int step)
    {
        int sums = blocks * pixels, firstOperand = sums + blocks, operands = 32 - firstOperand;
        for (int b = 0; b < blocks; b++) c.vmovups(Sum(sums + b), __zmmword_ptr[rsi + 64 * (step * blocks + b)]);
        for (int i = 0; i < pixels; i++)
        {
            if (blocks == 1 || operands == 0)
            {
                for (int b = 0; b < blocks; b++) c.vfmadd231ps(Sum(b * pixels + i), Sum(sums + b), __dword_bcst[PixelRegisters[i] + 4 * step]);
                continue;
            }
            AssemblerRegisterZMM operand = Sum(firstOperand + i % operands);
            c.vbroadcastss(operand, __dword_ptr[PixelRegisters[i] + 4 * step]);
            for (int b = 0; b < blocks; b++) c.vfmadd231ps(Sum(b * pixels + i), Sum(sums + b), operand);
        }
    }

    private static void WriteStore(Assembler c, int blocks, int pixels)
    {
        c.mov(rax, Field(nameof(TileTask.Y)));
        for (int b = 0; b < blocks; b++)
        {
            for (int i = 0; i < pixels; i++) c.vmovups(__zmmword_ptr[rax + 64 * i], Sum(b * pixels + i));
            c.add(rax, Field(nameof(TileTask.BlockBytes)));
        }
    }

    private static AssemblerRegisterZMM Sum(int index) => new(Register.ZMM0 + index);

    private static AssemblerMemoryOperand Field(string name) => __qword_ptr[rdi + OffsetOf(name)];

    private static int OffsetOf(string name) => (int)System.Runtime.InteropServices.Marshal.OffsetOf<TileTask>(name);
}
