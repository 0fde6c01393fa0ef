using System.Globalization;
using System.Text;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Benchmarks.Results;

/// <summary>The same forward passes on one thread with the kernels of narrower instruction sets.</summary>
internal static class KernelPathSection
{
    private const int TurnsEach = 5;

    public static string Measure()
    {
        KernelPath best = KernelPaths.Active;
        KernelPath[] paths = [.. new[] { KernelPath.Avx2, KernelPath.Portable }.Where(KernelPaths.IsSupported)];
        var text = new StringBuilder();
        text.AppendLine("One thread, `FEWBIT_KERNELS` set to the path. ONNX Runtime keeps its best kernels, so a ratio says what a machine without AVX-512 loses on top of its narrower arithmetic.").AppendLine();
        text.AppendLine($"| network | batch | {string.Join(" | ", paths.Select(path => $"{path.ToString().ToLowerInvariant()}: ONNX Runtime ms | Fewbit ms | ratio"))} |");
        text.AppendLine($"|---|---|{string.Concat(Enumerable.Repeat("---|---|---|", paths.Length))}");
        try
        {
            foreach (TimedNetwork network in TimedNetwork.Zoo)
            {
                IEnumerable<string> times = paths.Select(path =>
                {
                    // Weights are packed for the path that is active when a plan is compiled: each comparison loads the model anew.
                    KernelPaths.Active = path;
                    return ForwardSection.Compare(network, threads: 1, TurnsEach).ToString();
                });
                string row = string.Create(CultureInfo.InvariantCulture, $"| {network.Name} | {network.Batch} | {string.Join(" | ", times)} |");
                Console.WriteLine(row);
                text.AppendLine(row);
            }
        }
        finally
        {
            KernelPaths.Active = best;
        }
        return text.ToString();
    }
}
