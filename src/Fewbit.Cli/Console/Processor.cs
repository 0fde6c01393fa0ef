using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace Fewbit.Cli.Console;

/// <summary>The processor that figures were measured on.</summary>
internal static class Processor
{
    private const int FirstLeaf = unchecked((int)0x80000002), Leaves = 3;

    /// <summary>Its brand name where it states one, else its architecture.</summary>
    public static string Name { get; } = Find();

    private static string Find()
    {
        if (!X86Base.IsSupported || X86Base.CpuId(unchecked((int)0x80000000), 0).Eax < FirstLeaf + Leaves - 1) return RuntimeInformation.ProcessArchitecture.ToString();
        var bytes = new List<byte>();
        for (int leaf = 0; leaf < Leaves; leaf++)
        {
            (int eax, int ebx, int ecx, int edx) = X86Base.CpuId(FirstLeaf + leaf, 0);
            foreach (int register in (int[])[eax, ebx, ecx, edx]) bytes.AddRange(BitConverter.GetBytes(register));
        }
        string name = Encoding.ASCII.GetString([.. bytes.TakeWhile(value => value != 0)]).Trim();
        return name.Length > 0 ? name : RuntimeInformation.ProcessArchitecture.ToString();
    }
}
