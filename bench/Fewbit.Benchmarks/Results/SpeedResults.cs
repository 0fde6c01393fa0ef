using System.Diagnostics;

namespace Fewbit.Benchmarks.Results;

/// <summary>Measures every figure of docs/results/speed.md, or those of the sections named, for the processor it runs on.</summary>
internal static class SpeedResults
{
    private static readonly (string Name, string Title, Func<string> Measure)[] s_sections =
    [
        ("forward", "Float forward pass", ForwardSection.Measure),
        ("kernel-paths", "Other instruction sets", KernelPathSection.Measure),
        ("memory", "Memory", MemorySection.Measure),
        ("calibration", "Calibration", CalibrationSection.Measure),
        ("fake-quantization", "Fake quantization", FakeQuantizationSection.Measure),
        ("start", "Start to first result", StartSection.Measure),
        ("int8", "Exact int8 forward pass", Int8Section.Measure),
        ("gemm", "Matrix products beside OpenBLAS", GemmResults.Measure),
    ];

    public static void Run(string[] names)
    {
        if (names.FirstOrDefault(name => s_sections.All(section => section.Name != name)) is { } unknown)
            throw new ArgumentException($"there is no section '{unknown}', expected some of {string.Join(", ", s_sections.Select(section => section.Name))}");
        foreach ((string name, string title, Func<string> measure) in s_sections)
        {
            if (names.Length > 0 && !names.Contains(name)) continue;
            long start = Stopwatch.GetTimestamp();
            Console.WriteLine($"{title}:");
            // Read anew each time, so that what is measured stays although a later section fails.
            var page = SpeedPage.Load();
            page.Set(title, $"Measured with {Machine.Versions}.\n\n{measure()}");
            page.Save([.. s_sections.Select(section => section.Title)]);
            Console.WriteLine($"  {Stopwatch.GetElapsedTime(start).TotalSeconds:F0} s");
        }
    }
}
