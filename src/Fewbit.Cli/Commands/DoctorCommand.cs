using System.CommandLine;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Fewbit.Cli.Console;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors.Emission;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Cli.Commands;

/// <summary>What this machine offers and what is missing.</summary>
internal sealed record DoctorReport(
    string Fewbit, string Dotnet, string System, string Architecture, int Processors, int Threads, double MemoryBytes, IReadOnlyList<string> InstructionSets,
    string KernelPath, string BestKernelPath, bool ExecutableMemory, string? OnnxRuntimePath, string? OnnxRuntimeVersion, string? OnnxRuntimeProblem, IReadOnlyList<string> OnnxRuntimePlaces);

/// <summary>fewbit doctor.</summary>
internal static class DoctorCommand
{
    public static Command Create(CommonOptions common, CommandOutput output)
    {
        var command = new Command("doctor", "Shows the processor's features, the kernels chosen, where ONNX Runtime was found, and how to get what is missing.");
        command.SetAction(parsed => Run(common.Read(parsed), output));
        HelpWithExamples.SetExamples(command, "fewbit doctor", "fewbit doctor --ort ~/onnxruntime/lib/libonnxruntime.so --json");
        return command;
    }

    public static int Run(CommonSettings settings, CommandOutput output)
    {
        DoctorReport report = Examine(settings);
        if (settings.Json) output.Json(report);
        else Write(report, output);
        return report.OnnxRuntimeProblem is null ? CommandLine.Success : CommandLine.Failed;
    }

    internal static DoctorReport Examine(CommonSettings settings)
    {
        LibrarySearch search = settings.FindOnnxRuntime();
        (string? version, string? problem) = Version(search);
        return new(
            ToolVersion.Text, RuntimeInformation.FrameworkDescription, RuntimeInformation.OSDescription, RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant(),
            Environment.ProcessorCount, Workers.ThreadCount, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, InstructionSets(),
            Name(KernelPaths.Active), Name(KernelPaths.Best), ExecutableMemory.IsGranted, search.Path, version, problem, search.Tried);
    }

    private static (string? Version, string? Problem) Version(LibrarySearch search)
    {
        if (search.Path is null) return (null, null);
        try
        {
            return (OnnxRuntimeLibrary.Open(search).Version, null);
        }
        catch (OnnxRuntimeException problem)
        {
            return (null, problem.Message);
        }
    }

    private static IReadOnlyList<string> InstructionSets()
    {
        (string Name, bool IsSupported)[] sets =
        [
            ("SSE4.2", Sse42.IsSupported), ("AVX2", Avx2.IsSupported), ("FMA", Fma.IsSupported), ("AVX-VNNI", AvxVnni.IsSupported),
            ("AVX-512F", Avx512F.IsSupported), ("AVX-512BW", Avx512BW.IsSupported), ("AVX-512DQ", Avx512DQ.IsSupported), ("AVX-512VBMI", Avx512Vbmi.IsSupported),
            ("AVX-512VNNI", EmittedKernels.IsVnniSupported), ("NEON", AdvSimd.IsSupported), ("ARM dot product", Dp.IsSupported),
        ];
        return [.. sets.Where(set => set.IsSupported).Select(set => set.Name)];
    }

    private static void Write(DoctorReport report, CommandOutput output)
    {
        output.Fields(
            ("fewbit", $"{report.Fewbit} on {report.Dotnet}"),
            ("system", $"{report.System}, {report.Architecture}"),
            ("processor", $"{Words.Plural(report.Processors, "logical processor")}, {Words.Bytes(report.MemoryBytes)} of memory to use"),
            ("threads", $"{report.Threads}{(report.Threads == report.Processors ? "" : " (--threads)")}"),
            ("instructions", report.InstructionSets.Count == 0 ? "none that kernels use" : string.Join(", ", report.InstructionSets)),
            ("kernels", Kernels(report)),
            ("executable memory", report.ExecutableMemory ? "granted: kernels may be assembled at run time" : "not granted here: kernels that are assembled at run time are off, all others work"),
            ("ONNX Runtime", report.OnnxRuntimePath is null ? "not found" : report.OnnxRuntimeProblem ?? $"{report.OnnxRuntimeVersion} at {report.OnnxRuntimePath}"));
        if (report.OnnxRuntimePath is not null && report.OnnxRuntimeProblem is null) return;
        output.Line();
        output.Line("Places tried for ONNX Runtime:");
        foreach (string place in report.OnnxRuntimePlaces) output.Line($"  {place}");
        output.Line("ONNX Runtime is optional: it checks exported models and times them. To get it, one of:");
        output.Line("  npm install onnxruntime-node              (found in node_modules of this folder or one above)");
        output.Line("  dotnet add package Microsoft.ML.OnnxRuntime   (in any project: found in the NuGet cache)");
        output.Line("  download a release of github.com/microsoft/onnxruntime and name its library with --ort PATH or FEWBIT_ORT");
    }

    private static string Kernels(DoctorReport report) => report.KernelPath == report.BestKernelPath
        ? $"{report.KernelPath}, the best path of this machine"
        : $"{report.KernelPath} (FEWBIT_KERNELS); the best path of this machine is {report.BestKernelPath}";

    private static string Name(KernelPath path) => path.ToString().ToLowerInvariant();
}
