using Fewbit.Tests.Data;

namespace Fewbit.Tests.Weights;

/// <summary>The embedded files that make_fixtures.py wrote with PyTorch 1.13.</summary>
internal static class WeightFixtures
{
    public static byte[] Bytes(string name)
    {
        using Stream stream = typeof(WeightFixtures).Assembly.GetManifestResourceStream("weights/" + name) ?? throw new InvalidOperationException($"there is no fixture {name}");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Writes a fixture to a folder, under a name that does not tell its kind.</summary>
    public static string Write(TempFolder folder, string name) => folder.Write($"{name}.weights", Bytes(name));
}
