using Fewbit.Tensors.Kernels;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Fewbit.Tensors.Emission;

/// <summary>The activation at the end of an emitted convolution: of the first registers, before they are stored.</summary>
internal static class EmittedActivation
{
    private const byte LessThanQuiet = 17;

    /// <param name="c">Takes the code; rdi points to the task. zmm30, zmm31, rax and k1 are overwritten.</param>
    /// <param name="sums">Registers zmm0 and up.</param>
    /// <param name="field">Offset of a <see cref="TileEnd"/> in the task.</param>
    public static void Write(Assembler c, int sums, int field)
    {
        Label leaky = c.CreateLabel(), done = c.CreateLabel();
        c.mov(rax, __qword_ptr[rdi + field]);
        c.test(rax, rax);
        c.je(done);
        c.vbroadcastss(zmm30, __dword_ptr[rdi + field + 8]);
        c.cmp(rax, (int)ActivationKind.LeakyRelu);
        c.je(leaky);
        // The second operand is returned where one is NaN.
        for (int i = 0; i < sums; i++) c.vmaxps(Sum(i), zmm30, Sum(i));
        c.cmp(rax, (int)ActivationKind.Relu);
        c.je(done);
        c.vbroadcastss(zmm31, __dword_ptr[rdi + field + 12]);
        for (int i = 0; i < sums; i++) c.vminps(Sum(i), zmm31, Sum(i));
        c.jmp(done);
        c.Label(ref leaky);
        c.vpxord(zmm31, zmm31, zmm31);
        for (int i = 0; i < sums; i++)
        {
            c.vcmpps(k1, Sum(i), zmm31, LessThanQuiet);
            c.vmulps(Sum(i).k1, Sum(i), zmm30);
        }
        c.Label(ref done);
        c.nop();
    }

    private static AssemblerRegisterZMM Sum(int index) => new(Register.ZMM0 + index);
}
