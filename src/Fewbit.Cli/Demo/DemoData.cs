using Fewbit.Data;
using Fewbit.Data.Images;

namespace Fewbit.Cli.Demo;

/// <summary>Generated pictures as a data set.</summary>
/// <param name="seed">Seed of the sequence; the model was trained on another.</param>
/// <param name="count">Number of pictures.</param>
/// <param name="what">What they are for.</param>
internal sealed class DemoData(ulong seed, int count, string what) : DataSet
{
    private const int Plane = DemoPictures.Size * DemoPictures.Size;

    public override string Description => $"{count} generated pictures {what}, {DemoPictures.Classes.Count} classes";
    public override int Count => count;
    public override IReadOnlyList<int> Labels { get; } = [.. Enumerable.Range(0, count).Select(index => index % DemoPictures.Classes.Count)];
    public override IReadOnlyList<string> ClassNames => DemoPictures.Classes;
    public override string NameOf(int index) => $"generated picture {index}";

    public override Sample Read(int index)
    {
        Span<byte> planes = stackalloc byte[DemoPictures.ByteCount];
        DemoPictures.Draw(seed, index, planes);
        var pixels = new byte[planes.Length];
        for (int i = 0; i < Plane; i++) (pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]) = (planes[i], planes[Plane + i], planes[2 * Plane + i]);
        return Sample.Of(new Image(DemoPictures.Size, DemoPictures.Size, 3, pixels));
    }

    /// <summary>Writes records of a label byte and [3, 32, 32] pixels, the form of CIFAR-10's batches.</summary>
    public void Save(string path)
    {
        var record = new byte[1 + DemoPictures.ByteCount];
        using FileStream file = File.Create(path);
        for (int index = 0; index < count; index++)
        {
            record[0] = (byte)Labels[index];
            DemoPictures.Draw(seed, index, record.AsSpan(1));
            file.Write(record);
        }
    }
}
